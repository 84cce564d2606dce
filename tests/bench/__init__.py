"""Figures against the budgets of design §11."""
