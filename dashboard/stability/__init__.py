"""The page that says how stable runs were."""
