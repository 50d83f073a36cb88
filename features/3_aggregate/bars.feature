Feature: A bar says what a market did in one interval

  Scenario: Open and close are the first and last tick by time, however they arrive
    When these ticks arrive
      | instrument | at       | price | volume |
      | NG_HH      | 10:01:00 | 3.31  | 2      |
      | NG_HH      | 10:04:59 | 3.29  | 1      |
      | NG_HH      | 10:00:30 | 3.30  | 5      |
    Then the 5m bars are
      | instrument | from  | open | high | low  | close | volume | ticks | mean | notional | vwap       |
      | NG_HH      | 10:00 | 3.30 | 3.31 | 3.29 | 3.29  | 8      | 3     | 3.30 | 26.41    | 3.30125000 |

  Scenario: Of two trades in one instant the sequence decides which came first
    When these ticks arrive
      | instrument | at       | price | seq |
      | BTCUSDT    | 10:01:00 | 61002 | 9   |
      | BTCUSDT    | 10:01:00 | 61001 | 8   |
    Then the 5m bars are
      | instrument | from  | open  | close |
      | BTCUSDT    | 10:00 | 61001 | 61002 |

  Scenario: A tick on the boundary belongs to the bar that begins there
    When these ticks arrive
      | instrument | at              | price |
      | NG_HH      | 10:04:59.999999 | 3.30  |
      | NG_HH      | 10:05:00        | 3.40  |
    Then the 5m bars are
      | instrument | from  | close |
      | NG_HH      | 10:00 | 3.30  |
      | NG_HH      | 10:05 | 3.40  |

  Scenario: A quiet interval has no bar
    When these ticks arrive
      | instrument | at       | price |
      | NG_HH      | 10:01:00 | 3.30  |
      | NG_HH      | 10:16:00 | 3.40  |
    Then the 5m bars are
      | instrument | from  | close |
      | NG_HH      | 10:00 | 3.30  |
      | NG_HH      | 10:15 | 3.40  |

  Scenario: Two sources of one instrument make one bar
    When these ticks arrive
      | instrument | source       | at       | price | volume |
      | BTCUSDT    | binance-spot | 10:01:00 | 61001 | 1      |
      | BTCUSDT    | binance-us   | 10:02:00 | 61010 | 3      |
    Then the 5m bars are
      | instrument | from  | open  | high  | close | volume | ticks |
      | BTCUSDT    | 10:00 | 61001 | 61010 | 61010 | 4      | 2     |

  Scenario: Unknown volume is not zero, and without any there is no average by volume
    When these ticks arrive
      | instrument | at       | price | volume |
      | NG_HH      | 10:01:00 | 3.00  | 2      |
      | NG_HH      | 10:02:00 | 5.00  |        |
      | MISO.HUB   | 10:01:00 | -3.52 |        |
    Then the 5m bars are
      | instrument | from  | volume | vwap | mean  |
      | MISO.HUB   | 10:00 |        |      | -3.52 |
      | NG_HH      | 10:00 | 2      | 3    | 4     |

  Scenario: An hour is folded from its five minutes
    When these ticks arrive
      | instrument | at       | price | volume |
      | NG_HH      | 10:58:00 | 3.31  | 2      |
      | NG_HH      | 10:01:00 | 3.30  | 5      |
      | NG_HH      | 11:00:00 | 3.50  | 1      |
      | NG_HH      | 10:31:00 | 3.20  | 1      |
    Then the 1h bars are
      | instrument | from  | open | high | low  | close | volume | ticks |
      | NG_HH      | 10:00 | 3.30 | 3.31 | 3.20 | 3.31  | 8      | 3     |
      | NG_HH      | 11:00 | 3.50 | 3.50 | 3.50 | 3.50  | 1      | 1     |

  Scenario: A tick from beyond its horizon is in no bar
    When these ticks arrive
      | instrument | at                   | price | flags     |
      | NG_HH      | 10:01:00             | 3.30  |           |
      | NG_HH      | 2026-10-05T10:02:00Z | 9.99  | TS_FUTURE |
    Then the 5m bars are
      | instrument | from  | close | ticks |
      | NG_HH      | 10:00 | 3.30  | 1     |

  Scenario: Each tenant has its own bars
    When these ticks arrive
      | tenant   | instrument | at       | price |
      | default  | XBTUSDT    | 10:01:00 | 61001 |
      | tenant-1 | XBTUSDT    | 10:02:00 | 61000 |
    Then the 5m bars are
      | tenant   | instrument | from  | close |
      | default  | XBTUSDT    | 10:00 | 61001 |
      | tenant-1 | XBTUSDT    | 10:00 | 61000 |
