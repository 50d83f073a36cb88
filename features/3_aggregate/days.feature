Feature: A day runs from midnight to midnight of its market's clock

  Scenario: The short day in California has 23 hours
    When these ticks arrive
      | instrument      | at                   | price |
      | CAISO.LMP.DAM.A | 2026-03-08T07:00:00Z | 20    |
      | CAISO.LMP.DAM.A | 2026-03-08T08:00:00Z | 30    |
      | CAISO.LMP.DAM.A | 2026-03-09T06:00:00Z | 40    |
      | CAISO.LMP.DAM.A | 2026-03-09T07:00:00Z | 50    |
    Then the 1d bars are
      | instrument      | from                 | until                | open | close |
      | CAISO.LMP.DAM.A | 2026-03-07T08:00:00Z | 2026-03-08T08:00:00Z | 20   | 20    |
      | CAISO.LMP.DAM.A | 2026-03-08T08:00:00Z | 2026-03-09T07:00:00Z | 30   | 40    |
      | CAISO.LMP.DAM.A | 2026-03-09T07:00:00Z | 2026-03-10T07:00:00Z | 50   | 50    |

  Scenario: The long day in New York has 25 hours
    When these ticks arrive
      | instrument      | at                   | price |
      | NYISO.LBMP.DA.A | 2026-11-01T04:00:00Z | 20    |
      | NYISO.LBMP.DA.A | 2026-11-02T04:00:00Z | 30    |
      | NYISO.LBMP.DA.A | 2026-11-02T05:00:00Z | 40    |
    Then the 1d bars are
      | instrument      | from                 | until                | open | close |
      | NYISO.LBMP.DA.A | 2026-11-01T04:00:00Z | 2026-11-02T05:00:00Z | 20   | 30    |
      | NYISO.LBMP.DA.A | 2026-11-02T05:00:00Z | 2026-11-03T05:00:00Z | 40   | 40    |

  Scenario: MISO's clock never changes
    When these ticks arrive
      | instrument    | at                   | price |
      | MISO.LMP.DA.A | 2026-03-08T05:00:00Z | 20    |
      | MISO.LMP.DA.A | 2026-03-09T04:00:00Z | 30    |
      | MISO.LMP.DA.A | 2026-07-01T04:59:59Z | 40    |
    Then the 1d bars are
      | instrument    | from                 | until                | open | close |
      | MISO.LMP.DA.A | 2026-03-08T05:00:00Z | 2026-03-09T05:00:00Z | 20   | 30    |
      | MISO.LMP.DA.A | 2026-06-30T05:00:00Z | 2026-07-01T05:00:00Z | 40   | 40    |

  Scenario: Whatever belongs to no market has days of UTC
    When these ticks arrive
      | instrument | at                   | price |
      | NG_HH      | 2026-10-05T23:59:59Z | 3.30  |
      | NG_HH      | 2026-10-06T00:00:00Z | 3.40  |
    Then the 1d bars are
      | instrument | from                 | until                | close |
      | NG_HH      | 2026-10-05T00:00:00Z | 2026-10-06T00:00:00Z | 3.30  |
      | NG_HH      | 2026-10-06T00:00:00Z | 2026-10-07T00:00:00Z | 3.40  |
