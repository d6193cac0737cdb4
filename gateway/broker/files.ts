// Secrets and certificates that the configuration names by path.
import { readFileSync } from 'node:fs'
import { GatewayError } from '../errors.ts'

/** Its text; undefined where there is no path. Throws CONFIG_INVALID, naming the field and the file that cannot be read. */
export function readNamed(path: string, field: string): string
export function readNamed(path: string | undefined, field: string): string | undefined
export function readNamed(path: string | undefined, field: string): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new GatewayError('CONFIG_INVALID', `${field}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
