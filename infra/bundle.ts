// A Lambda function's code: one file made by esbuild, the same bytes for the same sources, wherever the checkout is.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

/** The checkout; what an entry's imports are relative to. */
export const root = fileURLToPath(new URL('..', import.meta.url))

// Some of the AWS SDK's dependencies call `require`, which a module does not have by itself.
const banner = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

/** Writes `index.mjs` into the directory. `entry` is a module that exports `handler`. */
export function bundle(entry: string, directory: string): void {
  mkdirSync(directory, { recursive: true })
  const { outputFiles } = buildSync({
    stdin: { contents: entry, resolveDir: root, sourcefile: 'entry.ts', loader: 'ts' },
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: banner },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'error',
  })
  writeFileSync(join(directory, 'index.mjs'), outputFiles[0]!.contents)
}
