// The measured run that docs/cost.md and the golden reports stand on: `npm run cost -- run --out docs/cost-run.json` makes another.
import { fileURLToPath } from 'node:url'

export const runFile = fileURLToPath(new URL('../../docs/cost-run.json', import.meta.url))
