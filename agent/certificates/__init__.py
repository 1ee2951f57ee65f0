"""The till's own certificates, that of KOD II and that of signing in: which it holds, and how it stays up to date."""
