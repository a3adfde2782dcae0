"""What clusters lead to: assessments, decisions, restorations, warnings. PURE."""
