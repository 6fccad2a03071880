"""Will an order come back? Asked when it is placed. Five kinds of sources, each read on from where it was read to."""

import os

import noria as nr

WORLD = os.environ.get("SHOP_HOST", "127.0.0.1")
PORTS = {name: os.environ.get(f"SHOP_{name}", "0") for name in ("SFTP", "SQL", "REST", "S3")}
FOLDER = os.environ.get("SHOP_FOLDER", "")

# 1. SFTP: the warehouse leaves one file a day; a file that is there is never read again.
orders = nr.Source(
    "orders", nr.files(f"sftp://{WORLD}:{PORTS['SFTP']}{FOLDER}/orders/*.csv.gz", sign_in=nr.ssh(
        "root", key=nr.secret("file:world/key"), host_key=os.environ.get("SHOP_HOST_KEY"))),
    incremental=nr.Incremental(update="append"), event_time="settled",
    known_before=["order", "customer", "product", "quantity", "placed"], columns={"back": "COALESCE(returned, FALSE)"},
    contract=nr.Contract(key="order", types={"placed": "timestamp", "settled": "timestamp"}, max_age="2d", rules=[
        nr.between("quantity", 1, 20, on_fail="quarantine"), nr.refers("product", to="products", on_fail="warn"),
        nr.expression("settled >= placed", on_fail="quarantine")]))

# 2. PostgreSQL: a customer's row takes the place of the one before it; the cursor looks back for late commits.
customers = nr.Source(
    "customers", nr.sql(f"postgresql://{WORLD}:{PORTS['SQL']}/shop", table="customers", user="shop",
                        password=nr.secret("SHOP_SQL_PASSWORD")),
    incremental=nr.Incremental("updated", lookback="1h", deleted="closed"),
    contract=nr.Contract(key="customer", rules=[
        nr.between("age", 16, 120, on_fail="quarantine"), nr.refers("country", to="tariffs", on_fail="warn")]))

# 3. REST: pages by a cursor, a token, and a version of the API that is pinned.
products = nr.Source(
    "products", nr.rest(f"http://{WORLD}:{PORTS['REST']}", "/products", rows="$.items[*]", in_the_clear=True,
                        paginate=nr.cursor("next", param="after"), sign_in=nr.bearer(nr.secret("SHOP_TOKEN")),
                        version=("Api-Version", "2026-01")),
    map={"price": ["price", "price_cents / 100"]},  # both versions of the API
    contract=nr.Contract(key="product", max_age="7d", rules=[nr.between("price", 0, 10_000), nr.not_null("category")]))

# 4. S3: what visitors looked at, in Parquet, one object an upload.
visits = nr.Source(
    "visits", nr.files("s3://shop-visits/*.parquet", store={
        "endpoint": f"http://{WORLD}:{PORTS['S3']}", "region": "eu-central-1",
        "access_key_id": "shop", "secret_access_key": nr.secret("SHOP_S3_SECRET")}),
    incremental=nr.Incremental(), event_time="at", lateness="3d", contract=nr.Contract(rules=[
        nr.not_null("customer", on_fail="quarantine"), nr.not_null("at", on_fail="quarantine")]))

# 5. Excel: what finance keeps.
tariffs = nr.Source("tariffs", "tariffs.xlsx", contract=nr.Contract(key="country", rules=[nr.between("tariff", 0, 50)]))

BACK = [nr.mean("back", windows=["30d"]), nr.count(windows=["30d"])]
project = nr.Project(
    "shop", question="Will this order come back?", endpoint=nr.Endpoint("back"), tags={"team": "shop"},
    spine=nr.Spine(orders, time="placed", label="back", features={
        "quantity": "quantity", "hour": "EXTRACT(HOUR FROM placed)", "value": "quantity * goods_price"}),
    features=[nr.FeatureView("customer", orders, keys="customer", aggregates=BACK),
              nr.FeatureView("product", orders, keys="product", aggregates=BACK),
              nr.FeatureView("looks", visits, keys="customer", aggregates=[nr.count(windows=["1d", "7d"])]),
              nr.FeatureView("person", customers, keys="customer", columns={"age": "age", "country": "country"}),
              nr.FeatureView("goods", products, keys="product", columns={"price": "price", "category": "category"})],
    references=[tariffs], gates=[nr.ContractKept(), nr.BeatsBaseline()],
    search=nr.Search("binary", metric="average_precision", trials=4,
        candidates=[nr.Baseline("goods_category"), nr.LightGBM()],
        split=nr.TimeSplit(train_until="2026-03-01", validate_until="2026-03-20", test_until="2026-04-10")))
