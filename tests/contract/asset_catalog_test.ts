import { openEmbedded, openOnServer, requireRealPostgres } from "../support/test_database.ts";
import { testAssetCatalog } from "./asset_catalog_suite.ts";

testAssetCatalog("embedded Postgres", () => openEmbedded());

const serverUrl = requireRealPostgres();
if (serverUrl) testAssetCatalog("PostgreSQL", () => openOnServer(serverUrl));
