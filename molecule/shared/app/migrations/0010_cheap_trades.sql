-- A trade for less of the processor's time. What holds afterwards is what held before, and one thing more: the entries of a
-- transaction come all at once, so that nothing is added to an old one. What was checked row by row, and again at commit, is
-- checked once for each statement.
--
-- Expands only: the functions keep their names and what they answer. The tables are locked for as long as this takes, some
-- hundredths of a second. Whoever trades must not stand in a queue behind a long look at one of them: so the locks are asked
-- for with little patience, and many times.
DO $$
BEGIN
    FOR attempt IN 1..100 LOOP
        BEGIN
            SET LOCAL lock_timeout TO '200ms';
            -- In the order in which an order takes them.
            LOCK TABLE trading.companies, trading.orders, ledger.accounts, ledger.transactions, ledger.entries, ledger.trades
                IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- Those who had to wait go first.
            PERFORM pg_sleep(0.2);
        END;
    END LOOP;
    RAISE EXCEPTION 'somebody looks at the tables of trading and ledger for a long time'
        USING ERRCODE = 'lock_not_available', HINT = 'Wait until pg_dump or the report is done, and migrate again.';
END
$$;

-- Nobody asks for these: orders of a user are found by orders_request_key, those of a company by orders_book.
DROP INDEX trading.orders_user, trading.orders_company, ledger.trades_company;

-- --- guards, which are called when there is something to refuse

DROP TRIGGER guard ON trading.orders;
CREATE TRIGGER guard_insert BEFORE INSERT ON trading.orders FOR EACH ROW WHEN (NEW.status <> 'open')
    EXECUTE FUNCTION trading.guard_order();
CREATE TRIGGER guard_update BEFORE UPDATE ON trading.orders FOR EACH ROW WHEN (
    OLD.status IN ('filled', 'cancelled')
    OR (NEW.id, NEW.user_id, NEW.company_id, NEW.type, NEW.quantity, NEW.price, NEW.created_at)
    IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.company_id, OLD.type, OLD.quantity, OLD.price, OLD.created_at)
    OR (NEW.filled <> OLD.filled AND NOT pg_has_role(current_user, 'trading_owner', 'USAGE'))
) EXECUTE FUNCTION trading.guard_order();
CREATE TRIGGER guard_delete BEFORE DELETE ON trading.orders FOR EACH ROW EXECUTE FUNCTION trading.guard_order();

DROP TRIGGER guard ON trading.companies;
CREATE TRIGGER guard_update BEFORE UPDATE ON trading.companies FOR EACH ROW
    WHEN ((NEW.id, NEW.total_shares) IS DISTINCT FROM (OLD.id, OLD.total_shares)) EXECUTE FUNCTION trading.guard_company();
CREATE TRIGGER guard_delete BEFORE DELETE ON trading.companies FOR EACH ROW EXECUTE FUNCTION trading.guard_company();

-- A balance changes from within a trigger only. The function asks whether it is in two: itself, and the one that books.
DROP TRIGGER guard ON ledger.accounts;
CREATE TRIGGER guard_insert BEFORE INSERT ON ledger.accounts FOR EACH ROW WHEN (NEW.balance <> 0)
    EXECUTE FUNCTION ledger.guard_account();
CREATE TRIGGER guard_update BEFORE UPDATE ON ledger.accounts FOR EACH ROW WHEN (
    pg_trigger_depth() < 1
    OR (NEW.id, NEW.asset, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.asset, OLD.created_at)
    OR (NEW.user_id, NEW.system_name) IS DISTINCT FROM (OLD.user_id, OLD.system_name)
) EXECUTE FUNCTION ledger.guard_account();

-- --- entries

DROP TRIGGER book ON ledger.entries;
DROP TRIGGER balanced ON ledger.entries;
DROP TRIGGER balanced ON ledger.transactions;

-- Books what one statement added. It sees to it that the accounts and transactions exist, too: both are never deleted, so a
-- foreign key, which asks for each row, would have nothing left to do.
-- A session plans each statement once. One that does so while a table is small would read all of it for each trade, until
-- somebody analyzes the table: hence no enable_seqscan, here and below.
CREATE OR REPLACE FUNCTION ledger.book() RETURNS trigger
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp SET enable_seqscan TO off AS $$
DECLARE
    wrong record;
BEGIN
    UPDATE ledger.accounts AS a SET balance = a.balance + e.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM added GROUP BY account_id) AS e
    WHERE a.id = e.account_id AND a.user_id IS NOT NULL;

    SELECT e.transaction_id, a.asset, sum(e.amount) AS rest INTO wrong
    FROM added AS e LEFT JOIN ledger.accounts AS a ON a.id = e.account_id
    GROUP BY e.transaction_id, a.asset HAVING sum(e.amount) <> 0 OR a.asset IS NULL LIMIT 1;
    IF FOUND AND wrong.asset IS NULL THEN
        RAISE EXCEPTION 'transaction % has an entry for an account that does not exist', wrong.transaction_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'entries_account_id_fkey', SCHEMA = 'ledger', TABLE = 'entries';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'transaction % does not sum to zero (% of %)', wrong.transaction_id, wrong.rest, wrong.asset
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transactions_balanced', SCHEMA = 'ledger', TABLE = 'entries';
    END IF;

    SELECT e.transaction_id, t.id IS NULL AS alone INTO wrong
    FROM (SELECT transaction_id, count(*) AS entries FROM added GROUP BY transaction_id) AS e
    LEFT JOIN ledger.transactions AS t ON t.id = e.transaction_id
    WHERE t.id IS NULL OR e.entries <> (SELECT count(*) FROM ledger.entries AS x WHERE x.transaction_id = e.transaction_id)
    LIMIT 1;
    IF FOUND AND wrong.alone THEN
        RAISE EXCEPTION 'there is no transaction %', wrong.transaction_id
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'entries_transaction_id_fkey', SCHEMA = 'ledger', TABLE = 'entries';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'transaction % has its entries already: they come all at once', wrong.transaction_id
            USING ERRCODE = 'insufficient_privilege', HINT = 'Correct a mistake by a transaction the other way.';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER book AFTER INSERT ON ledger.entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.book();

ALTER TABLE ledger.entries DROP CONSTRAINT entries_account_id_fkey, DROP CONSTRAINT entries_transaction_id_fkey;

-- At commit, once: what entries there are is right, so it is enough that there are some.
CREATE OR REPLACE FUNCTION ledger.balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp SET enable_seqscan TO off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.entries WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'transaction % does not sum to zero (no entries)', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transactions_balanced', SCHEMA = 'ledger', TABLE = 'entries';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger.transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.balanced();

-- --- trades

-- Moves and notes it. Whoever calls this has locked the orders and the accounts, and has looked at what they hold. Only the two
-- functions below do.
CREATE FUNCTION ledger.settle(
    reference uuid, buy trading.orders, sell trading.orders, quantity bigint, price numeric, OUT posted bigint, OUT trade bigint
) LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    code text := 'company:' || buy.company_id;
    total numeric := price * quantity;
    moved bigint;
BEGIN
    INSERT INTO ledger.transactions (reference, kind) VALUES (reference, 'trade') RETURNING id INTO posted;
    INSERT INTO ledger.entries (transaction_id, account_id, amount)
    SELECT posted, a.id, CASE a.asset WHEN 'EUR' THEN total ELSE quantity END
        * CASE WHEN (a.user_id = sell.user_id) = (a.asset = 'EUR') THEN 1 ELSE -1 END
    FROM ledger.accounts AS a
    WHERE a.user_id IN (buy.user_id, sell.user_id) AND a.system_name IS NULL AND a.asset IN ('EUR', code);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> 4 THEN
        RAISE EXCEPTION 'users % and % have not the accounts for a trade in %', buy.user_id, sell.user_id, code
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO ledger.trades (transaction_id, company_id, buy_order_id, sell_order_id, buyer_id, seller_id, quantity, price)
    VALUES (posted, buy.company_id, buy.id, sell.id, buy.user_id, sell.user_id, quantity, price) RETURNING id INTO trade;
    UPDATE trading.orders AS o
    SET filled = o.filled + quantity,
        status = CASE WHEN o.filled + quantity = o.quantity THEN 'filled' ELSE 'partial' END
    WHERE o.id IN (buy.id, sell.id);
    UPDATE trading.companies AS c SET share_price = price WHERE c.id = buy.company_id;
END
$$;

CREATE OR REPLACE FUNCTION ledger.trade(reference uuid, buy_order bigint, sell_order bigint, quantity bigint, price numeric)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp SET enable_seqscan TO off AS $$
#variable_conflict use_variable
DECLARE
    buy trading.orders;
    sell trading.orders;
    earlier ledger.trades;
    code text;
    total numeric := ledger.checked(price) * ledger.checked(quantity);
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
    -- Always in one order, so that opposite movements wait for each other instead of dying.
    PERFORM FROM ledger.accounts AS a
    WHERE a.user_id IN (buy.user_id, sell.user_id) AND a.system_name IS NULL AND a.asset IN ('EUR', code)
    ORDER BY a.id FOR NO KEY UPDATE;
    RETURN (ledger.settle(reference, buy, sell, quantity, price)).posted;
END
$$;

-- As in 0007, but what was read once is not read again. All that this calls is planned once in a session, not for its first five
-- orders each: after a switchover every session is new.
CREATE OR REPLACE FUNCTION trading.place_order(
    whose bigint, of_company bigint, its_type text, its_quantity bigint, its_price numeric, its_key text
) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
SET enable_seqscan TO off SET plan_cache_mode TO force_generic_plan AS $$
DECLARE
    mine trading.orders;
    rest trading.orders;
    share text := 'company:' || of_company;
    other text := CASE its_type WHEN 'buy' THEN 'sell' ELSE 'buy' END;
    left_over bigint := its_quantity;
    part bigint;
    money numeric;
    shares numeric;
    missing bigint;
    made record;
    trades jsonb := '[]';
BEGIN
    -- One order of a company at a time: its book stands still while this one is matched.
    PERFORM FROM trading.companies WHERE id = of_company FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no company %', of_company USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO trading.orders (user_id, company_id, type, quantity, price, request_key)
    VALUES (whose, of_company, its_type, its_quantity, its_price, its_key)
    ON CONFLICT (user_id, request_key) DO NOTHING RETURNING * INTO mine;
    IF mine.id IS NULL THEN
        SELECT * INTO STRICT mine FROM trading.orders WHERE user_id = whose AND request_key = its_key;
        IF (mine.company_id, mine.type, mine.quantity, mine.price) IS DISTINCT FROM (of_company, its_type, its_quantity, its_price)
        THEN
            RAISE EXCEPTION 'the key belongs to another order (%)', mine.id USING ERRCODE = 'unique_violation';
        END IF;
        RETURN trading.order_with_trades(mine.id) || '{"replayed": true}';
    END IF;
    -- All accounts that will move, in one order: two companies' orders wait for each other instead of dying.
    SELECT max(a.balance) FILTER (WHERE a.user_id = whose AND a.asset = 'EUR'),
        max(a.balance) FILTER (WHERE a.user_id = whose AND a.asset = share)
    INTO money, shares FROM (
        SELECT user_id, asset, balance FROM ledger.accounts
        WHERE system_name IS NULL AND asset IN ('EUR', share) AND user_id = ANY (ARRAY(
            SELECT b.user_id FROM (
                SELECT o.user_id, sum(o.quantity - o.filled) OVER (
                    ORDER BY CASE its_type WHEN 'buy' THEN o.price ELSE -o.price END, o.id
                ) - (o.quantity - o.filled) AS before
                FROM trading.orders AS o
                WHERE o.company_id = of_company AND o.type = other AND o.status IN ('open', 'partial') AND o.user_id <> whose
                    AND CASE its_type WHEN 'buy' THEN o.price <= its_price ELSE o.price >= its_price END
            ) AS b WHERE b.before < its_quantity
        ) || whose) ORDER BY id FOR NO KEY UPDATE
    ) AS a;
    IF coalesce(CASE its_type WHEN 'buy' THEN money ELSE shares END, 0)
        < its_quantity * (CASE its_type WHEN 'buy' THEN its_price ELSE 1 END) THEN
        RAISE EXCEPTION 'not enough % for this order', CASE its_type WHEN 'buy' THEN 'money' ELSE 'shares' END
            USING ERRCODE = 'check_violation';
    END IF;
    -- Who buys shares of a company for the first time has no account for them.
    missing := CASE WHEN its_type = 'buy' AND shares IS NULL THEN whose END;
    FOR rest IN
        SELECT * FROM trading.orders AS o
        WHERE o.company_id = of_company AND o.type = other AND o.status IN ('open', 'partial') AND o.user_id <> whose
            AND CASE its_type WHEN 'buy' THEN o.price <= its_price ELSE o.price >= its_price END
        ORDER BY CASE its_type WHEN 'buy' THEN o.price ELSE -o.price END, o.id
        FOR NO KEY UPDATE
    LOOP
        EXIT WHEN left_over = 0;
        part := least(left_over, rest.quantity - rest.filled);
        SELECT max(balance) FILTER (WHERE asset = 'EUR'), max(balance) FILTER (WHERE asset = share) INTO money, shares
        FROM ledger.accounts WHERE user_id = rest.user_id AND system_name IS NULL AND asset IN ('EUR', share);
        IF coalesce(CASE its_type WHEN 'buy' THEN shares ELSE money END, 0)
            < part * (CASE its_type WHEN 'buy' THEN 1 ELSE rest.price END) THEN
            UPDATE trading.orders SET status = 'cancelled' WHERE id = rest.id;
            CONTINUE;
        END IF;
        IF its_type = 'sell' AND shares IS NULL THEN
            missing := rest.user_id;
        END IF;
        IF missing IS NOT NULL THEN
            INSERT INTO ledger.accounts (user_id, asset) VALUES (missing, share) ON CONFLICT DO NOTHING;
            missing := NULL;
        END IF;
        IF its_type = 'buy' THEN
            made := ledger.settle(gen_random_uuid(), mine, rest, part, rest.price);
        ELSE
            made := ledger.settle(gen_random_uuid(), rest, mine, part, rest.price);
        END IF;
        trades := trades || jsonb_build_object('id', made.trade, 'quantity', part, 'price', rest.price::text);
        left_over := left_over - part;
    END LOOP;
    -- What trading.order_with_trades would find.
    RETURN jsonb_build_object(
        'id', mine.id, 'company_id', of_company, 'type', its_type, 'quantity', its_quantity, 'filled', its_quantity - left_over,
        'price', mine.price::text, 'trades', trades,
        'status', CASE left_over WHEN 0 THEN 'filled' WHEN its_quantity THEN 'open' ELSE 'partial' END
    );
END
$$;

-- What foreign keys no longer say, and what nobody looked at until now: whether an order is filled by its trades.
CREATE OR REPLACE VIEW ledger.problems WITH (security_invoker = true) AS
    SELECT 'unbalanced transaction' AS problem, e.transaction_id AS id, sum(e.amount) AS amount
    FROM ledger.entries AS e JOIN ledger.accounts AS a ON a.id = e.account_id
    GROUP BY e.transaction_id, a.asset HAVING sum(e.amount) <> 0
    UNION ALL
    SELECT 'transaction without entries', t.id, 0 FROM ledger.transactions AS t
    WHERE NOT EXISTS (SELECT FROM ledger.entries AS e WHERE e.transaction_id = t.id)
    UNION ALL
    SELECT 'balance is not the sum of the entries', a.id, a.balance - coalesce(sum(e.amount), 0)
    FROM ledger.accounts AS a LEFT JOIN ledger.entries AS e ON e.account_id = a.id
    WHERE a.user_id IS NOT NULL GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(e.amount), 0)
    UNION ALL
    SELECT 'overdrawn account', id, balance FROM ledger.accounts WHERE balance < 0
    UNION ALL
    SELECT 'entry without account or transaction', e.transaction_id, e.amount FROM ledger.entries AS e
    WHERE NOT EXISTS (SELECT FROM ledger.accounts AS a WHERE a.id = e.account_id)
        OR NOT EXISTS (SELECT FROM ledger.transactions AS t WHERE t.id = e.transaction_id)
    UNION ALL
    SELECT 'order is not filled by its trades', o.id, o.filled - coalesce(t.quantity, 0)
    FROM trading.orders AS o LEFT JOIN (
        SELECT p.order_id, sum(p.quantity) AS quantity FROM (
            SELECT buy_order_id AS order_id, quantity FROM ledger.trades
            UNION ALL SELECT sell_order_id, quantity FROM ledger.trades
        ) AS p GROUP BY p.order_id
    ) AS t ON t.order_id = o.id
    WHERE o.filled <> coalesce(t.quantity, 0);

REVOKE EXECUTE ON FUNCTION ledger.settle FROM PUBLIC;
