Feature: The latest price never moves back

  Scenario: The latest tick wins, whenever it arrives
    When these enriched ticks arrive
      | instrument | at       | price | volume |
      | NG_HH      | 10:00:00 | 3.30  | 5      |
      | NG_HH      | 10:02:00 | 3.32  | 2      |
      | NG_HH      | 10:01:00 | 3.31  |        |
    Then the latest prices are
      | instrument | at       | price | volume |
      | NG_HH      | 10:02:00 | 3.32  | 2      |

  Scenario: Of two trades in one instant the later sequence counts
    When these enriched ticks arrive
      | instrument | at       | price | seq |
      | BTCUSDT    | 10:00:00 | 61000 | 8   |
      | BTCUSDT    | 10:00:00 | 61001 | 9   |
    Then the latest prices are
      | instrument | at       | price |
      | BTCUSDT    | 10:00:00 | 61001 |

  Scenario: A correction of the latest tick replaces it, and yesterday's tick, delivered again, does not
    When these enriched ticks arrive
      | instrument | at                   | price | known at |
      | NG_HH      | 10:00:00             | 3.30  | 10:00:01 |
      | NG_HH      | 10:00:00             | 3.29  | 10:05:00 |
      | NG_HH      | 2026-10-04T10:00:00Z | 2.95  | 11:00:00 |
    Then the latest prices are
      | instrument | at       | price |
      | NG_HH      | 10:00:00 | 3.29  |

  Scenario: A tick from beyond its horizon is nobody's latest price
    When these enriched ticks arrive
      | instrument | at                   | price | flags     |
      | NG_HH      | 10:00:00             | 3.30  |           |
      | NG_HH      | 2099-01-01T00:00:00Z | 9.99  | TS_FUTURE |
    Then the latest prices are
      | instrument | at       | price |
      | NG_HH      | 10:00:00 | 3.30  |

  Scenario: Each tenant has its own
    When these enriched ticks arrive
      | tenant   | instrument | at       | price |
      | default  | XBTUSDT    | 10:01:00 | 61001 |
      | tenant-1 | XBTUSDT    | 10:00:00 | 61000 |
    Then the latest prices are
      | tenant   | instrument | at       | price |
      | default  | XBTUSDT    | 10:01:00 | 61001 |
      | tenant-1 | XBTUSDT    | 10:00:00 | 61000 |

  Scenario: A repeat is no news
    Given these enriched ticks arrived
      | instrument | at       | price | known at |
      | NG_HH      | 10:00:00 | 3.30  | 10:00:01 |
    When these enriched ticks arrive
      | instrument | at       | price | known at |
      | NG_HH      | 10:00:00 | 3.30  | 10:05:00 |
      | NG_HH      | 10:00:00 | 3.30  | 10:10:00 |
    Then nothing was announced
