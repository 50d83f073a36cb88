Feature: What becomes known later corrects exactly the bars it touches
  Trades wait ten minutes for stragglers; then their bars are final.

  Background:
    Given these ticks arrived
      | instrument | at       | price | known at |
      | NG_HH      | 10:01:00 | 3.30  | 10:01:01 |
      | NG_HH      | 10:06:00 | 3.40  | 10:06:01 |
      | NG_HH      | 11:58:00 | 3.50  | 11:58:01 |
      | NG_HH      | 12:30:00 | 3.60  | 12:30:01 |
    And time went by until all bars were final

  Scenario: A late tick revises its bar and the bars above it
    When these ticks arrive
      | instrument | at       | price | known at |
      | NG_HH      | 10:00:30 | 3.10  | 13:00:00 |
    Then the 5m bars are
      | instrument | from  | open | close | state   | reason |
      | NG_HH      | 10:00 | 3.10 | 3.30  | revised | late   |
      | NG_HH      | 10:05 | 3.40 | 3.40  | final   | live   |
      | NG_HH      | 11:55 | 3.50 | 3.50  | final   | live   |
      | NG_HH      | 12:30 | 3.60 | 3.60  | final   | live   |
    And the 1h bars are
      | instrument | from  | open | state   | reason |
      | NG_HH      | 10:00 | 3.10 | revised | late   |
      | NG_HH      | 11:00 | 3.50 | final   | live   |
      | NG_HH      | 12:00 | 3.60 | provisional | live   |
    And these bars were announced
      | interval | from  | state       |
      | 5m       | 10:00 | revised     |
      | 1h       | 10:00 | revised     |
      | 1d       | 00:00 | provisional |

  Scenario: A corrected price replaces the one before it
    When these ticks arrive
      | instrument | at       | price | known at |
      | NG_HH      | 10:06:00 | 3.45  | 13:00:00 |
    Then the 5m bars are
      | instrument | from  | close | ticks | state   | reason     |
      | NG_HH      | 10:00 | 3.30  | 1     | final   | live       |
      | NG_HH      | 10:05 | 3.45  | 1     | revised | correction |
      | NG_HH      | 11:55 | 3.50  | 1     | final   | live       |
      | NG_HH      | 12:30 | 3.60  | 1     | final   | live       |

  Scenario: Of two corrections the later known one counts, whichever comes first
    When these ticks arrive
      | instrument | at       | price | known at |
      | NG_HH      | 10:06:00 | 3.45  | 13:00:00 |
      | NG_HH      | 10:06:00 | 3.46  | 14:00:00 |
    Then the 5m bars are
      | instrument | from  | close | ticks | state   |
      | NG_HH      | 10:00 | 3.30  | 1     | final   |
      | NG_HH      | 10:05 | 3.46  | 1     | revised |
      | NG_HH      | 11:55 | 3.50  | 1     | final   |
      | NG_HH      | 12:30 | 3.60  | 1     | final   |

  Scenario: A repeat is no news
    When these ticks arrive
      | instrument | at       | price | known at |
      | NG_HH      | 10:01:00 | 3.30  | 13:00:00 |
      | NG_HH      | 12:30:00 | 3.60  | 13:00:00 |
      | NG_HH      | 10:01:00 | 3.30  | 14:00:00 |
    Then the 5m bars are
      | instrument | from  | close | state |
      | NG_HH      | 10:00 | 3.30  | final |
      | NG_HH      | 10:05 | 3.40  | final |
      | NG_HH      | 11:55 | 3.50  | final |
      | NG_HH      | 12:30 | 3.60  | final |
    And no bar was announced

  Scenario: A late tick in a quiet interval makes the bar that was missing
    When these ticks arrive
      | instrument | at       | price | known at |
      | NG_HH      | 10:11:00 | 3.42  | 13:00:00 |
    Then the 5m bars are
      | instrument | from  | close | state | reason |
      | NG_HH      | 10:00 | 3.30  | final | live   |
      | NG_HH      | 10:05 | 3.40  | final | live   |
      | NG_HH      | 10:10 | 3.42  | final | late   |
      | NG_HH      | 11:55 | 3.50  | final | live   |
      | NG_HH      | 12:30 | 3.60  | final | live   |
