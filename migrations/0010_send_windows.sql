-- expand: routes may have a window outside of which nothing leaves; the release before does not know of windows, and sends at any time.

-- {"days": ["mon", …], "from": "09:00", "to": "20:00", "timeZone": "Europe/Amsterdam" or "recipient"}. Null for none. That of a batch is
-- among its defaults.
ALTER TABLE route ADD COLUMN send_window jsonb;
