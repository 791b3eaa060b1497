"""The local page where a person corrects contours: one frame by hand, the others follow (`docs/edit.md`)."""
