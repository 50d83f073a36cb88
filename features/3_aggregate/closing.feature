Feature: A bar is final once its feed has gone far enough past it
  Trades wait ten minutes for stragglers, and fifteen minutes of silence close what is open.

  Scenario: Until then it is provisional
    When these ticks arrive in this order
      | instrument | at       | price |
      | NG_HH      | 10:01:00 | 3.30  |
      | NG_HH      | 10:14:59 | 3.40  |
    Then the 5m bars are
      | instrument | from  | state       |
      | NG_HH      | 10:00 | provisional |
      | NG_HH      | 10:10 | provisional |

  Scenario: Ten minutes past its end it is final
    When these ticks arrive in this order
      | instrument | at       | price |
      | NG_HH      | 10:01:00 | 3.30  |
      | NG_HH      | 10:15:00 | 3.40  |
    Then the 5m bars are
      | instrument | from  | state       |
      | NG_HH      | 10:00 | final       |
      | NG_HH      | 10:15 | provisional |

  Scenario: A day-ahead feed speaks of tomorrow and closes nothing of today's trades
    When these ticks arrive in this order
      | instrument | source     | at                   | price |
      | NG_HH      | trades     | 10:01:00             | 3.30  |
      | MISO.DA.A  | miso.da    | 2026-10-06T10:00:00Z | 31    |
      | NG_HH      | trades     | 10:02:00             | 3.31  |
    Then the 5m bars are
      | instrument | from                 | state       |
      | MISO.DA.A  | 2026-10-06T10:00:00Z | provisional |
      | NG_HH      | 10:00                | provisional |

  Scenario: With a bar close all earlier ones of its instrument, whatever their feed
    When these ticks arrive in this order
      | instrument | source | at       | price |
      | NG_HH      | slow   | 10:01:00 | 3.30  |
      | NG_HH      | trades | 10:06:00 | 3.31  |
      | NG_HH      | trades | 10:20:00 | 3.32  |
    Then the 5m bars are
      | instrument | from  | state       |
      | NG_HH      | 10:00 | final       |
      | NG_HH      | 10:05 | final       |
      | NG_HH      | 10:20 | provisional |

  Scenario: Silence closes what is open
    Given these ticks arrived
      | instrument | at       | price |
      | NG_HH      | 10:01:00 | 3.30  |
    When 15 minutes pass without a tick
    Then the 5m bars are
      | instrument | from  | close | state |
      | NG_HH      | 10:00 | 3.30  | final |
    And these bars were announced
      | interval | from  | state |
      | 5m       | 10:00 | final |

  Scenario: The end of an input leaves what is open as it stands
    Given these ticks arrived
      | instrument | at       | price |
      | NG_HH      | 10:01:00 | 3.30  |
    When the input ends
    Then the 5m bars are
      | instrument | from  | close | state       |
      | NG_HH      | 10:00 | 3.30  | provisional |
