"""Feedback store, attribution and counterfactuals."""
