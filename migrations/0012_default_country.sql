-- expand: accounts name the country where telephone numbers are dialled that do not tell theirs; the release before does not look at it.

-- ISO 3166-1 alpha-2. Read as messages are taken in: what is stored is E.164 (src/message/phone-number.ts).
ALTER TABLE account ADD COLUMN default_country text;
