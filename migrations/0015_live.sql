-- expand: what servers and workers tell while somebody watches; older programs neither write nor read it.

-- What a worker did lately, by account and route, and the errors that it met: see src/delivery/observe/activity.ts.
ALTER TABLE worker_report ADD COLUMN activity jsonb;

-- What a server took in lately, by account and route: one row a server, written each second as long as somebody watches.
CREATE TABLE intake_report (
  server uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  accepted jsonb NOT NULL
);
