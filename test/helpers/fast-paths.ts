// Whether a run tests the fast paths or, with WEIR_FAST_PATHS=off, the general code. `.ci/run` does both.
import { fastPathsOf } from '../../gateway/config.ts'

export const fastPaths = fastPathsOf()
