Feature: A price is for an instant, whatever clock its market reads

  Scenario: MISO labels five minutes by their end and hours by their beginning, in standard time all year
    When these prices are stated
      | feed           | location    | label               | price |
      | MISO lmp RT    | INDIANA.HUB | 2026-07-01T12:05:00 | 31.25 |
      | MISO lmp DA    | INDIANA.HUB | 2026-07-01T12:00:00 | 28.53 |
      | MISO lmp RT    | INDIANA.HUB | 2026-03-08T02:30:00 | 31.21 |
    Then the ticks are
      | instrument              | ts                   | end                  | price |
      | MISO.LMP.RT.INDIANA.HUB | 2026-07-01T17:00:00Z | 2026-07-01T17:05:00Z | 31.25 |
      | MISO.LMP.DA.INDIANA.HUB | 2026-07-01T17:00:00Z | 2026-07-01T18:00:00Z | 28.53 |
      | MISO.LMP.RT.INDIANA.HUB | 2026-03-08T07:25:00Z | 2026-03-08T07:30:00Z | 31.21 |

  Scenario: A glued-on zone means nothing where labels are naive, another offset does
    When these prices are stated
      | feed        | location    | label                     | price |
      | MISO lmp RT | INDIANA.HUB | 2026-10-05T00:05:00Z      | 1     |
      | MISO lmp RT | INDIANA.HUB | 2026-10-05T00:10:00+00:00 | 2     |
      | MISO lmp RT | INDIANA.HUB | 2026-10-05T00:15:00-04:00 | 3     |
    Then the ticks are
      | instrument              | ts                   | price |
      | MISO.LMP.RT.INDIANA.HUB | 2026-10-05T05:00:00Z | 1     |
      | MISO.LMP.RT.INDIANA.HUB | 2026-10-05T05:05:00Z | 2     |
      | MISO.LMP.RT.INDIANA.HUB | 2026-10-05T04:10:00Z | 3     |

  Scenario: New York's clock shows one autumn hour twice and skips one in spring
    When these prices are stated
      | feed          | location | label                     | price |
      | NYISO lbmp RT | CAPITL   | 2026-11-01T01:15:00       | 20    |
      | NYISO lbmp RT | CAPITL   | 2026-11-01T01:15:00-05:00 | 21    |
      | NYISO lbmp RT | CAPITL   | 2026-03-08T02:15:00       | 22    |
    Then the ticks are
      | instrument           | ts                   | price | flags        |
      | NYISO.LBMP.RT.CAPITL | 2026-11-01T05:00:00Z | 20    | TS_AMBIGUOUS |
      | NYISO.LBMP.RT.CAPITL | 2026-11-01T06:00:00Z | 21    |              |
    And the dead letters are
      | price | reason        | field |
      | 22    | BAD_TIMESTAMP | time  |

  Scenario: A number is an instant whose unit its size gives away
    When these prices are stated
      | feed         | location | label            | price |
      | BINANCE tick | BTCUSDT  | 1791176700       | 1     |
      | BINANCE tick | ETHUSDT  | 1791176700000    | 2     |
      | BINANCE tick | XRPUSDT  | 20261005         | 3     |
    Then the ticks are
      | instrument | ts                   | price | flags           |
      | BTCUSDT    | 2026-10-05T05:05:00Z | 1     | TS_UNIT_GUESSED |
      | ETHUSDT    | 2026-10-05T05:05:00Z | 2     | TS_UNIT_GUESSED |
    And the dead letters are
      | price | reason        | field |
      | 3     | BAD_TIMESTAMP | time  |

  Scenario: A run nobody has described keeps its labels and says so
    When these prices are stated
      | feed            | location    | label               | price |
      | MISO lmp EXANTE | INDIANA.HUB | 2026-10-05T00:00:00 | 30    |
    Then the ticks are
      | instrument                  | ts                   | end | price | flags               |
      | MISO.LMP.EXANTE.INDIANA.HUB | 2026-10-05T05:00:00Z |     | 30    | FEED_POLICY_ASSUMED |
