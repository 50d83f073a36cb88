Feature: Of two statements about one point the newer knowledge wins

  Scenario: A correction replaces what was said, in whatever order they come
    When these prices are stated
      | feed        | location    | label               | price | known at |
      | MISO lmp RT | INDIANA.HUB | 2026-10-05T00:05:00 | 31.25 | 05:06:00 |
      | MISO lmp RT | INDIANA.HUB | 2026-10-05T00:05:00 | 31.25 | 05:11:00 |
      | MISO lmp RT | INDIANA.HUB | 2026-10-05T00:05:00 | 32.00 | 05:16:00 |
    Then the ticks are
      | instrument              | ts                   | price |
      | MISO.LMP.RT.INDIANA.HUB | 2026-10-05T05:00:00Z | 32    |

  Scenario: Two tenants and two sources never speak for each other
    When these prices are stated
      | feed         | location | label                | price | tenant   | source       |
      | BINANCE tick | BTCUSDT  | 2026-10-05T05:00:00Z | 1     | default  | binance-spot |
      | BINANCE tick | BTCUSDT  | 2026-10-05T05:00:00Z | 2     | tenant-1 | binance-spot |
      | BINANCE tick | BTCUSDT  | 2026-10-05T05:00:00Z | 3     | default  | binance-us   |
    Then the ticks are
      | instrument | tenant   | source       | price |
      | BTCUSDT    | default  | binance-spot | 1     |
      | BTCUSDT    | tenant-1 | binance-spot | 2     |
      | BTCUSDT    | default  | binance-us   | 3     |
