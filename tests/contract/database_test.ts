import { openEmbedded, openOnServer, requireRealPostgres } from "../support/test_database.ts";
import { testDatabase } from "./database_suite.ts";

testDatabase("embedded Postgres", () => openEmbedded());

const serverUrl = requireRealPostgres();
if (serverUrl) testDatabase("PostgreSQL", () => openOnServer(serverUrl));
