"""From records to tables and figures. No torch here."""
