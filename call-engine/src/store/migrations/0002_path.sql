-- The proxies that requests to a contact have to pass (RFC 3327): the value of a Path header, or NULL.
ALTER TABLE registrations ADD COLUMN path TEXT;
