"""Bank-customer churn with XGBoost."""
