import { openEmbedded } from "../support/test_database.ts";
import { testDatabase } from "./database_suite.ts";

testDatabase("embedded Postgres", () => openEmbedded());
