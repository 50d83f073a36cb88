Feature: Every tick learns what its instrument is

  Scenario: A hub that the catalog describes
    When these ticks are enriched
      | instrument              | at       | price |
      | MISO.LMP.RT.INDIANA.HUB | 10:00:00 | 31.25 |
    Then the enriched ticks are
      | instrument              | at       | commodity | region          | tier | flags |
      | MISO.LMP.RT.INDIANA.HUB | 10:00:00 | power     | us-miso-central | hub  |       |

  Scenario: An instrument nobody has described is kept, with what its market implies
    When these ticks are enriched
      | instrument                   | at       | price |
      | CAISO.LMP.RTM.NOWHERE_1_N001 | 10:00:00 | 20    |
      | ACME_WIDGETS                 | 10:00:00 | 20    |
    Then the enriched ticks are
      | instrument                   | at       | commodity | region   | tier | flags            |
      | CAISO.LMP.RTM.NOWHERE_1_N001 | 10:00:00 |           | us-caiso |      | MISSING_METADATA |
      | ACME_WIDGETS                 | 10:00:00 |           |          |      | MISSING_METADATA |

  Scenario: What is known of an instrument depends on the time its price is for
    When these ticks are enriched
      | instrument            | at                   | price |
      | MISO.LMP.DA.TEXAS.HUB | 2013-12-18T23:00:00Z | 30    |
      | MISO.LMP.DA.TEXAS.HUB | 2013-12-19T00:00:00Z | 30    |
    Then the enriched ticks are
      | instrument            | at                   | commodity | region        | tier | flags            |
      | MISO.LMP.DA.TEXAS.HUB | 2013-12-18T23:00:00Z |           | us-miso       |      | MISSING_METADATA |
      | MISO.LMP.DA.TEXAS.HUB | 2013-12-19T00:00:00Z | power     | us-miso-south | hub  |                  |

  Scenario: An alias is what it stands for
    When these ticks are enriched
      | instrument        | at       | price |
      | PJM.LMP.DA.51288  | 10:00:00 | 40    |
      | XBTUSDT           | 10:00:00 | 61000 |
    Then the enriched ticks are
      | instrument        | at       | commodity | region      | tier | flags |
      | PJM.LMP.DA.51288  | 10:00:00 | power     | us-pjm-west | hub  |       |
      | XBTUSDT           | 10:00:00 | crypto    | global      | spot |       |
