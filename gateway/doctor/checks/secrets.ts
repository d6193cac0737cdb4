// Keys that were written into a file which gets committed. They are named by place, never shown.
import type { CheckTable } from '../check.ts'

/** What it is, and how it looks. */
const secrets: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['an AWS access key', /\b(AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a password in a URL', /^[a-z][a-z+.-]*:\/\/[^\s/:@]+:[^\s/@$]+@/i],
  ['a bearer token', /^(Bearer|Basic)\s+[\w.~+/=-]{12,}$/i],
]

/** Fields whose literal text is a secret whatever it looks like; `${NAME}` is filled from the environment. */
const secretField = /(secretaccesskey|password|passwd|apikey|api_key|privatekey)$/i

export const secretChecks = {
  'secret-in-file': {
    severity: 'error',
    means: 'a secret in a file',
    fix: 'take it from the environment, "${NAME}", or from get_secret() on AWS; and change it, as it was seen',
    *find({ documents }) {
      for (const { path, json } of documents) {
        for (const { field, text } of textsIn(json, '')) {
          const [what] =
            secrets.find(([, pattern]) => pattern.test(text)) ?? (secretField.test(field) && !text.startsWith('${') ? ['a secret'] : [])
          if (what !== undefined) yield { file: path, field, text: `this looks like ${what}` }
        }
      }
    },
  },
} as const satisfies CheckTable

function* textsIn(value: unknown, field: string): Generator<{ readonly field: string; readonly text: string }> {
  if (typeof value === 'string') yield { field, text: value }
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* textsIn(item, `${field}[${index}]`)
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) yield* textsIn(item, field === '' ? key : `${field}.${key}`)
}
