import { createDiskObjectStore } from "../../src/adapters/disk/disk_object_store.ts";
import { testObjectStore } from "./object_store_suite.ts";

testObjectStore({
  name: "createDiskObjectStore()",
  tiers: true,
  archives: true,
  async create() {
    const root = await Deno.makeTempDir({ prefix: "facet-disk-" });
    const store = createDiskObjectStore({ root });
    return {
      store,
      async cleanup() {
        await store.close();
        await Deno.remove(root, { recursive: true });
      },
    };
  },
});
