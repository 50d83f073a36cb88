Feature: A price is judged by what is ordinary where it was made

  Scenario: Forty below zero is ordinary in California and absurd at Henry Hub
    When these ticks are enriched
      | instrument                         | at       | price |
      | CAISO.LMP.RTPD.TH_NP15_GEN-APND    | 10:00:00 | -40   |
      | HENRY_HUB_SPOT                     | 10:00:00 | -40   |
      | NGZ26                              | 10:00:00 | -40   |
    Then the flags are
      | instrument                         | at       | flags              |
      | CAISO.LMP.RTPD.TH_NP15_GEN-APND    | 10:00:00 |                    |
      | HENRY_HUB_SPOT                     | 10:00:00 | PRICE_OUT_OF_RANGE |
      | NGZ26                              | 10:00:00 | PRICE_OUT_OF_RANGE |

  Scenario: Texas lowered its cap with 2022
    When these ticks are enriched
      | instrument             | at                   | price |
      | ERCOT.LMP.RTM.HB_NORTH | 2021-02-16T12:00:00Z | 9000  |
      | ERCOT.LMP.RTM.HB_NORTH | 2021-12-31T23:45:00Z | 5001  |
      | ERCOT.LMP.RTM.HB_NORTH | 2022-01-01T00:00:00Z | 5001  |
      | ERCOT.LMP.RTM.HB_NORTH | 2022-01-01T00:15:00Z | 5000  |
    Then the flags are
      | instrument             | at                   | flags              |
      | ERCOT.LMP.RTM.HB_NORTH | 2021-02-16T12:00:00Z |                    |
      | ERCOT.LMP.RTM.HB_NORTH | 2021-12-31T23:45:00Z |                    |
      | ERCOT.LMP.RTM.HB_NORTH | 2022-01-01T00:00:00Z | PRICE_OUT_OF_RANGE |
      | ERCOT.LMP.RTM.HB_NORTH | 2022-01-01T00:15:00Z |                    |

  Scenario: A market's limit holds for a node nobody has described, and an energy cap is none on transmission rights
    When these ticks are enriched
      | instrument                    | at       | price |
      | CAISO.LMP.DAM.NOWHERE_1_N001  | 10:00:00 | 2001  |
      | NYISO.TCC.AUTUMN.OBL.A-TO-B   | 10:00:00 | 25000 |
    Then the flags are
      | instrument                    | at       | flags                               |
      | CAISO.LMP.DAM.NOWHERE_1_N001  | 10:00:00 | MISSING_METADATA,PRICE_OUT_OF_RANGE |
      | NYISO.TCC.AUTUMN.OBL.A-TO-B   | 10:00:00 |                                     |
