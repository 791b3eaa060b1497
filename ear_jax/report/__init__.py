"""From numbers to files: tables, figures, pages.

`STATEMENT` stands on every page and on every printed sheet.
"""

STATEMENT = 'Research software. Not a medical device: not for diagnosis, treatment or any other clinical decision.'
