import { openEmbedded, openOnServer, requireRealPostgres } from "../support/test_database.ts";
import { testKeyCatalog } from "./key_catalog_suite.ts";

testKeyCatalog("embedded Postgres", () => openEmbedded());

const serverUrl = requireRealPostgres();
if (serverUrl) testKeyCatalog("PostgreSQL", () => openOnServer(serverUrl));
