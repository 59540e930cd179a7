// In which order the targets of a model are tried. Pure: chance is passed in.
import { type RouteTarget } from './router.js'

/**
 * Draws without replacement, each time in proportion to the weights left; weight 0 comes last. One target alone is not even
 * copied. `random`: 0 <= n < 1.
 */
export function orderTargets(targets: readonly RouteTarget[], random: () => number): readonly RouteTarget[] {
  if (targets.length < 2) return targets
  const left = [...targets]
  const order: RouteTarget[] = []
  while (left.length > 0) {
    let point = random() * left.reduce((sum, target) => sum + target.weight, 0)
    let at = left.findIndex((target) => {
      point -= target.weight
      return point < 0
    })
    if (at < 0) at = 0
    order.push(...left.splice(at, 1))
  }
  return order
}
