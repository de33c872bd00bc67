-- What the worker tells the two parties of a trade; the key makes it once, however often the stream delivers it.
CREATE TABLE trading.notifications (
    trade_id bigint NOT NULL REFERENCES ledger.trades,
    user_id bigint NOT NULL REFERENCES trading.users,
    text text NOT NULL CHECK (text <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trade_id, user_id)
);

CREATE INDEX notifications_user ON trading.notifications (user_id);

GRANT SELECT, INSERT ON trading.notifications TO trading_app;
GRANT SELECT ON trading.notifications TO trading_readonly;
