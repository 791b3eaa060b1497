"""The local page where a person corrects contours: one frame by hand, the others follow (`docs/edit.md`)."""

OUTPUT = 'corrected'  # folder of edits and results, where no other is given
