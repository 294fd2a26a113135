-- Run by the first start of the container of deploy/compose.yaml, behind roles.sql.
\include /etc/stoa/database/passwords.sql
