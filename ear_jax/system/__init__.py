"""What any program needs: errors, whole files, locks, time, the start of a command. It knows no heart."""
