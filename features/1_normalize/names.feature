Feature: A name becomes an id that no look-alike can take

  Scenario: Letters are upper-cased, a space is a hyphen, anything odd costs a suffix
    When these prices are stated
      | feed          | location      | label                | price |
      | BINANCE tick  | ng_hh_balmo   | 2026-10-05T05:00:00Z | 1     |
      | BINANCE tick  | HUD VL        | 2026-10-05T05:00:00Z | 2     |
      | BINANCE tick  | INDIАNA.HUB   | 2026-10-05T05:00:00Z | 3     |
    Then the ticks are
      | instrument           | symbol               | price |
      | NG_HH_BALMO          | ng_hh_balmo          | 1     |
      | HUD-VL               | HUD-VL               | 2     |
      | INDI-NA.HUB-EC542D7D | INDI-NA.HUB-EC542D7D | 3     |
