/**
 * Renders every file of the shared corpus and prints a table by category.
 *
 *     deno task corpus              # the table, and every file that is not right
 *     deno task corpus gif webp     # some categories
 */
// deno-lint-ignore-file no-console
import { type CorpusGrade, type CorpusVerdict, gradeFile } from "../tests/support/corpus_grade.ts";
import { readManifest, sharedDataDir } from "../tests/support/shared_data.ts";

const VERDICTS: readonly CorpusVerdict[] = [
  "right",
  "other",
  "alone",
  "refused",
  "refused-valid",
  "not-image",
  "wrong",
];

const dir = sharedDataDir();
if (dir === null) Deno.exit(0);
const wanted = new Set(Deno.args);
const grades: CorpusGrade[] = [];
for (const file of readManifest(dir)) {
  if (wanted.size > 0 && !wanted.has(file.category)) continue;
  const grade = await gradeFile(dir, file);
  grades.push(grade);
  if (grade.verdict === "wrong" || wanted.size > 0 && grade.verdict !== "right") {
    console.log(`${grade.verdict}\t${grade.path}\t${grade.note}`);
  }
}
printTable(grades);

function printTable(all: readonly CorpusGrade[]): void {
  const categories = [...new Set(all.map((grade) => grade.category))].sort();
  console.log(`\n| category | files | ${VERDICTS.join(" | ")} | slowest ms |`);
  console.log(`|---|---:|${VERDICTS.map(() => "---:|").join("")}---:|`);
  for (const category of [...categories, "all"]) {
    const some = all.filter((grade) => category === "all" || grade.category === category);
    const counts = VERDICTS.map((verdict) =>
      some.filter((grade) => grade.verdict === verdict).length
    );
    const slowest = Math.max(...some.map((grade) => grade.tookMs));
    console.log(`| ${category} | ${some.length} | ${counts.join(" | ")} | ${slowest.toFixed(0)} |`);
  }
}
