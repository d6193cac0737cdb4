// Reads JSON files. Errors begin with the path and say what is wrong.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Makes the error of the caller from a sentence: `rules/a.json: cannot be read (ENOENT)`. */
type Refuse = (text: string, cause: unknown) => Error

/** `name` is where the text is from: a path, or a path with a line. */
export function parseJsonText(text: string, name: string, refuse: Refuse): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refuse(`${name}: not JSON: ${(cause as SyntaxError).message}`, cause)
  }
}

export async function readJsonFile(path: string, refuse: Refuse): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw unreadable(path, cause, refuse)
  })
  return parseJsonText(text, path, refuse)
}

export function readJsonFileSync(path: string, refuse: Refuse): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause, refuse)
  }
  return parseJsonText(text, path, refuse)
}

function unreadable(path: string, cause: unknown, refuse: Refuse): Error {
  return refuse(`${path}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause)
}
