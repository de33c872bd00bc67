-- A trade is one transaction of the ledger: money one way, shares the other, and the orders filled; all of it or nothing.
CREATE TABLE ledger.trades (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction_id bigint NOT NULL UNIQUE REFERENCES ledger.transactions,
    company_id bigint NOT NULL REFERENCES trading.companies,
    buy_order_id bigint NOT NULL REFERENCES trading.orders,
    sell_order_id bigint NOT NULL REFERENCES trading.orders,
    buyer_id bigint NOT NULL REFERENCES trading.users,
    seller_id bigint NOT NULL REFERENCES trading.users,
    quantity bigint NOT NULL CHECK (quantity > 0),
    price numeric(20, 4) NOT NULL CHECK (price > 0 AND price <> 'NaN'),
    executed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT trades_two_parties CHECK (buyer_id <> seller_id)
);

CREATE INDEX trades_company ON ledger.trades (company_id, executed_at);
CREATE INDEX trades_buy_order ON ledger.trades (buy_order_id);
CREATE INDEX trades_sell_order ON ledger.trades (sell_order_id);
CREATE INDEX trades_buyer ON ledger.trades (buyer_id);
CREATE INDEX trades_seller ON ledger.trades (seller_id);

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.trades
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION ledger.trade(reference uuid, buy_order bigint, sell_order bigint, quantity bigint, price numeric)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    buy trading.orders;
    sell trading.orders;
    earlier ledger.trades;
    code text;
    total numeric := ledger.checked(price) * ledger.checked(quantity);
    posted bigint;
BEGIN
    -- Two calls with one reference meet at these locks.
    PERFORM FROM trading.orders AS o WHERE o.id IN (buy_order, sell_order) ORDER BY o.id FOR NO KEY UPDATE;
    SELECT t.* INTO earlier FROM ledger.trades AS t JOIN ledger.transactions AS x ON x.id = t.transaction_id
    WHERE x.reference = trade.reference;
    IF FOUND THEN
        IF (earlier.buy_order_id, earlier.sell_order_id, earlier.quantity, earlier.price)
            IS DISTINCT FROM (buy_order, sell_order, quantity, price) THEN
            RAISE EXCEPTION 'reference % belongs to another trade', reference USING ERRCODE = 'unique_violation';
        END IF;
        RETURN earlier.transaction_id;
    END IF;
    SELECT * INTO buy FROM trading.orders AS o WHERE o.id = buy_order;
    SELECT * INTO sell FROM trading.orders AS o WHERE o.id = sell_order;
    IF (buy.type, sell.type) IS DISTINCT FROM ('buy', 'sell') OR buy.company_id <> sell.company_id THEN
        RAISE EXCEPTION 'orders % and % do not match', buy_order, sell_order USING ERRCODE = 'check_violation';
    END IF;
    IF price > buy.price OR price < sell.price THEN
        RAISE EXCEPTION 'price % is not between the orders'' %  and %', price, sell.price, buy.price
            USING ERRCODE = 'check_violation';
    END IF;
    IF buy.status NOT IN ('open', 'partial') OR sell.status NOT IN ('open', 'partial')
        OR quantity > least(buy.quantity - buy.filled, sell.quantity - sell.filled) THEN
        RAISE EXCEPTION 'orders % and % have not % shares left', buy_order, sell_order, quantity
            USING ERRCODE = 'check_violation';
    END IF;
    code := 'company:' || buy.company_id;
    INSERT INTO ledger.accounts (user_id, asset) VALUES (buy.user_id, code)
    ON CONFLICT ON CONSTRAINT accounts_one_of_a_kind DO NOTHING;
    posted := ledger.post(
        reference, 'trade',
        ARRAY[ledger.wallet(buy.user_id), ledger.wallet(sell.user_id),
              ledger.wallet(sell.user_id, code), ledger.wallet(buy.user_id, code)],
        ARRAY[-total, total, -quantity, quantity]
    );
    INSERT INTO ledger.trades (transaction_id, company_id, buy_order_id, sell_order_id, buyer_id, seller_id, quantity, price)
    VALUES (posted, buy.company_id, buy_order, sell_order, buy.user_id, sell.user_id, quantity, price);
    UPDATE trading.orders AS o
    SET filled = o.filled + quantity,
        status = CASE WHEN o.filled + quantity = o.quantity THEN 'filled' ELSE 'partial' END
    WHERE o.id IN (buy_order, sell_order);
    UPDATE trading.companies AS c SET share_price = price WHERE c.id = buy.company_id;
    RETURN posted;
END
$$;

CREATE VIEW trading.trades WITH (security_invoker = true) AS
    SELECT id, transaction_id, company_id, buyer_id, seller_id, quantity, price, executed_at FROM ledger.trades;

REVOKE EXECUTE ON FUNCTION ledger.trade FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.trade TO trading_app;
GRANT SELECT ON ledger.trades, trading.trades TO trading_app, trading_readonly;
