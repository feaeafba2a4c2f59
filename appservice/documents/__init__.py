"""Documents: kept, examined, shown, and who may."""
