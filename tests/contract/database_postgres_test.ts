import { openOnServer, requireRealPostgres } from "../support/test_database.ts";
import { testDatabase } from "./database_suite.ts";

const serverUrl = requireRealPostgres();
if (serverUrl) testDatabase("PostgreSQL", () => openOnServer(serverUrl));
