Feature: A price is the exact number its market wrote

  Scenario: Numbers are read to the last of eight places
    When these prices are stated
      | feed         | location | label                | price               |
      | BINANCE tick | A        | 2026-10-05T05:00:00Z | .61                 |
      | BINANCE tick | B        | 2026-10-05T05:00:00Z | 1.5e1               |
      | BINANCE tick | C        | 2026-10-05T05:00:00Z | 9999999999.99999999 |
      | BINANCE tick | D        | 2026-10-05T05:00:00Z | 2.765000104904175   |
      | BINANCE tick | E        | 2026-10-05T05:00:00Z | 0.000000005         |
      | BINANCE tick | F        | 2026-10-05T05:00:00Z | -15.74              |
    Then the ticks are
      | instrument | price               | flags          |
      | A          | 0.61                |                |
      | B          | 15                  |                |
      | C          | 9999999999.99999999 |                |
      | D          | 2.7650001           | PRECISION_LOSS |
      | E          | 0                   | PRECISION_LOSS |
      | F          | -15.74              | PRICE_NEGATIVE |

  Scenario: What is no number is a dead letter, and its neighbours stay
    When these prices are stated
      | feed         | location | label                | price       | volume |
      | BINANCE tick | A        | 2026-10-05T05:00:00Z | 1           |        |
      | BINANCE tick | B        | 2026-10-05T05:00:00Z |             |        |
      | BINANCE tick | C        | 2026-10-05T05:00:00Z | NaN         |        |
      | BINANCE tick | D        | 2026-10-05T05:00:00Z | 10000000000 |        |
      | BINANCE tick | E        | 2026-10-05T05:00:00Z | 52,98       |        |
      | BINANCE tick | F        | 2026-10-05T05:00:00Z | 2           | many   |
      | BINANCE tick | G        | 2026-10-05T05:00:00Z | 3           | -4     |
    Then the ticks are
      | instrument | price | volume | flags           |
      | A          | 1     |        |                 |
      | G          | 3     | -4     | VOLUME_NEGATIVE |
    And the dead letters are
      | price       | reason        | field  |
      |             | MISSING_PRICE | price  |
      | NaN         | BAD_PRICE     | price  |
      | 10000000000 | BAD_PRICE     | price  |
      | 52,98       | BAD_PRICE     | price  |
      | 2           | BAD_VOLUME    | volume |
