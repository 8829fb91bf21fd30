"""The comparisons behind `simteacher experiment`: rows of recipe overrides, their results, tables, plots and times."""
