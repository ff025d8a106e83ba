// Writes the plugin without its types: in each .ts they become spaces, so that lines and columns stay as they are, and each
// .js is copied. `node sdk/strip.js DIR`, in the plugin's directory.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';

import blank from 'ts-blank-space';

const output = process.argv[2];
const skipped = [output, 'node_modules'];
rmSync(output, { recursive: true, force: true });
for (const file of files('.')) {
  const target = join(output, file);
  mkdirSync(dirname(target), { recursive: true });
  if (file.endsWith('.js')) cpSync(file, target);
  else
    writeFileSync(
      `${target}.js`,
      blank(readFileSync(file, 'utf8'), (node) => unsupported(file, node)),
    );
}

function files(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return skipped.includes(path) || entry.name.startsWith('.') ? [] : files(path);
    return /(?<!\.d)\.ts$|\.js$/.test(path) ? [path] : [];
  });
}

function unsupported(file, node) {
  const { line } = node.getSourceFile().getLineAndCharacterOfPosition(node.getStart());
  console.error(`${file}:${line + 1}: this needs code that TypeScript generates, and only types can be removed`);
  process.exitCode = 1;
}
