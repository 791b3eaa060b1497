"""From numbers to files: tables, figures, pages."""
