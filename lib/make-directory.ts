// A private directory with all above it, or a sentence that says why not.
import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { privateDirectory } from './private-files.ts'

/** Does nothing where it is there. Throws what `refuse` makes of the reason. */
export function makeDirectory(path: string, refuse: (reason: string) => Error): void {
  try {
    makeEach(resolve(path))
  } catch (error) {
    const { code, path: where } = error as NodeJS.ErrnoException
    throw refuse(code === 'EEXIST' ? `${where} is not a directory` : `the directory ${path} cannot be made (${code})`)
  }
}

/** Level by level: asked for all of them, Node tries for ever where the system says that even the last one is missing, as below /proc. */
function makeEach(path: string): void {
  if (isDirectory(path)) return
  const above = dirname(path)
  if (above !== path) makeEach(above)
  try {
    mkdirSync(path, privateDirectory)
  } catch (error) {
    // Somebody else may have been quicker.
    if (!isDirectory(path)) throw error
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
