"""Wrong answers to the exercises 7.1 and 7.2 (lesson 07, section 1), each with a piece of the sentence it must get."""

import numpy as np


# 7.1 ------------------------------------------------------------------------------------------------------------------
def beats(one, other):
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def front_loops(costs):
    """Right, in plain Python."""
    return np.array([not any(beats(q, p) for q in costs) for p in costs])


def front_broadcast(costs):
    """Right, without a loop."""
    no_more = (costs[:, None, :] <= costs[None, :, :]).all(axis=2)
    equal = (costs[:, None, :] == costs[None, :, :]).all(axis=2)
    return ~(no_more & ~equal).any(axis=0)


def front_list(costs):
    """Right, as a list of truth values."""
    return [bool(x) for x in front_loops(costs)]


def front_beaten(costs):
    return ~front_loops(costs)


def front_strict(costs):
    return np.array([not np.any(np.all(costs < p, axis=1)) for p in costs])


def front_itself(costs):
    return np.array([not np.any(np.all(costs <= p, axis=1)) for p in costs])


def front_twins_die(costs):
    stays = []
    for i, p in enumerate(costs):
        others = np.delete(costs, i, axis=0)
        stays.append(not np.any(np.all(others <= p, axis=1)))
    return np.array(stays)


def front_first_twin(costs):
    stays, seen = front_loops(costs), set()
    for i, p in enumerate(costs):
        stays[i] &= tuple(p) not in seen
        seen.add(tuple(p))
    return stays


def front_any(costs):
    return np.array([not np.any(np.any(costs < p, axis=1)) for p in costs])


def front_max(costs):
    return front_loops(-costs)


def front_accuracy(costs):
    return front_loops(np.column_stack([costs[:, 0], -costs[:, 1:]]))


def front_extremes(costs):
    return (costs == costs.min(axis=0)).any(axis=1)


def front_sum(costs):
    total = costs.sum(axis=1)
    return total == total.min()


def front_two_columns(costs):
    return front_loops(costs[:, :2])


def front_unsorted(costs):
    stays, least = [], np.inf
    for _, wrong, *_ in costs:
        stays.append(wrong < least)
        least = min(least, wrong)
    return np.array(stays)


def front_sweep(costs):
    stays, least = np.zeros(len(costs), bool), np.inf
    for i in np.lexsort((costs[:, 1], costs[:, 0])):
        stays[i] = costs[i, 1] < least
        least = min(least, costs[i, 1])
    return stays


def front_sweep_equal(costs):
    stays, least = np.zeros(len(costs), bool), np.inf
    for i in np.lexsort((costs[:, 1], costs[:, 0])):
        stays[i] = costs[i, 1] <= least
        least = min(least, costs[i, 1])
    return stays


def front_neighbour(costs):
    stays, before = np.zeros(len(costs), bool), np.inf
    for i in np.lexsort((costs[:, 1], costs[:, 0])):
        stays[i] = costs[i, 1] < before
        before = costs[i, 1]
    return stays


def front_hull(costs):
    stays = np.zeros(len(costs), bool)
    for share in np.linspace(0.001, 0.999, 999):
        total = share * costs[:, 0] + (1 - share) * costs[:, 1:].sum(axis=1)
        stays[total <= total.min() + 1e-9] = True
    return stays & front_loops(costs)


def front_places(costs):
    return np.flatnonzero(front_loops(costs))


def front_rows(costs):
    return costs[front_loops(costs)]


def front_numbers(costs):
    return front_loops(costs).astype(int)


def front_sorts_in_place(costs):
    costs.sort(axis=0)
    return front_loops(costs)


# 7.2 ------------------------------------------------------------------------------------------------------------------
def walk(accuracy, errors, noise, last="kept"):
    worth, at = [True], 0
    for i in range(1, len(accuracy)):
        place = {"kept": at, "before": i - 1, "first": 0, "best": int(np.argmax(accuracy[:i]))}[last]
        worth.append(bool(accuracy[i] - accuracy[place] > noise(errors[i], errors[place])))
        if worth[-1]:
            at = i
    return np.array(worth)


def two(e, f):
    return 2 * (e**2 + f**2) ** 0.5


def steps_list(accuracy, errors):
    """Right, as a list, with squares in place of roots."""
    worth, a, e = [], None, None
    for b, f in zip(accuracy.tolist(), errors.tolist(), strict=True):
        worth.append(a is None or (b > a and (b - a) ** 2 > 4 * (e * e + f * f)))
        if worth[-1]:
            a, e = b, f
    return worth


def steps_recursive(accuracy, errors):
    """Right: the first is kept, then the first that is ahead of it, and so on."""
    worth = np.zeros(len(accuracy), bool)
    i = 0
    while True:
        worth[i] = True
        ahead = np.flatnonzero(accuracy - accuracy[i] > 2 * np.hypot(errors, errors[i]))
        ahead = ahead[ahead > i]
        if not len(ahead):
            return worth
        i = ahead[0]


def steps_before(accuracy, errors):
    return walk(accuracy, errors, two, "before")


def steps_first(accuracy, errors):
    return walk(accuracy, errors, two, "first")


def steps_best(accuracy, errors):
    return walk(accuracy, errors, two, "best")


def steps_any(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 0)


def steps_added(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * (e + f))


def steps_own(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * e)


def steps_theirs(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * f)


def steps_one(accuracy, errors):
    return walk(accuracy, errors, np.hypot)


def steps_no_root(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * (e**2 + f**2))


def steps_mean(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * (e + f) / 2)


def steps_larger(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * max(e, f))


def steps_subtracted(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * abs(e - f))


def steps_absolute(accuracy, errors):
    worth, at = [True], 0
    for i in range(1, len(accuracy)):
        worth.append(abs(accuracy[i] - accuracy[at]) > two(errors[i], errors[at]))
        at = i if worth[-1] else at
    return np.array(worth)


def steps_no_first(accuracy, errors):
    worth = walk(accuracy, errors, two)
    worth[0] = False
    return worth


def steps_down(accuracy, errors):
    return walk(accuracy[::-1], errors[::-1], two)[::-1]


def steps_not(accuracy, errors):
    return ~walk(accuracy, errors, two)


def steps_places(accuracy, errors):
    return np.flatnonzero(walk(accuracy, errors, two)).tolist()


def steps_all(accuracy, errors):
    return np.ones(len(accuracy), bool)


def front_sorted(costs):
    return front_loops(np.array(sorted(costs.tolist())))


def front_product(costs):
    return costs.prod(axis=1) == costs.prod(axis=1).min()


def steps_three(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 3 * np.sqrt(e**2 + f**2))


def steps_196(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 1.96 * np.sqrt(e**2 + f**2))


def steps_root_of_2(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: np.sqrt(2 * (e**2 + f**2)))


def steps_first_error(accuracy, errors):
    return walk(accuracy, errors, lambda e, f: 2 * np.sqrt(e**2 + errors[0] ** 2))


def steps_stop(accuracy, errors):
    kept = steps_list(accuracy, errors)
    end = kept.index(False) if False in kept else len(kept)
    return np.arange(len(kept)) < end


WRONG = {
    "7.1": {
        "those that are beaten": (front_beaten, "the points that are beaten"),
        "less in all": (front_strict, "equal in one cost and less in the other"),
        "no more in all, itself too": (front_itself, "a point doesn't beat itself"),
        "equal points beat each other": (front_twins_die, "equal points beat neither of each other"),
        "the first of equal points": (front_first_twin, "You keep the first of them only"),
        "less in any": (front_any, "one cost that is less does not beat a point"),
        "more is better": (front_max, "the direction is turned round"),
        "more is better in the second": (front_accuracy, "the direction of one cost is turned round"),
        "the best in one cost": (front_extremes, "only those that are best in one cost"),
        "the least sum": (front_sum, "the costs are added up"),
        "two costs only": (front_two_columns, "only the first two costs"),
        "not sorted": (front_unsorted, "the list is not sorted by size"),
        "a sweep": (front_sweep, "drops one of two equal points"),
        "a sweep that keeps equals": (front_sweep_equal, "keeps larger files with equally"),
        "against the neighbour": (front_neighbour, "its next smaller neighbour only"),
        "convex hull": (front_hull, "this is the convex hull"),
        "sorted": (front_sorted, "in the order of the sorted points"),
        "least product": (front_product, "the costs are multiplied"),
        "places": (front_places, "a truth value is wanted"),
        "the rows themselves": (front_rows, "a truth value is wanted"),
        "0 and 1": (front_numbers, "a truth value is wanted"),
        "sorts its input": (front_sorts_in_place, "changes its input"),
    },
    "7.2": {
        "against the one before": (steps_before, "each file is compared with the one before it"),
        "against the first": (steps_first, "each file is compared with the first one"),
        "against the best": (steps_best, "each file is compared with the best so far"),
        "any gain": (steps_any, "noise is not looked at"),
        "errors added": (steps_added, "the two errors are added"),
        "its own error": (steps_own, "only the file's own error"),
        "the other's error": (steps_theirs, "only the error of the last one kept"),
        "one error": (steps_one, "this is one standard error"),
        "no root": (steps_no_root, "the root is missing"),
        "mean of the errors": (steps_mean, "the errors are averaged"),
        "the larger error": (steps_larger, "this takes the larger error"),
        "errors subtracted": (steps_subtracted, "the errors are subtracted"),
        "three errors": (steps_three, "these are three standard errors"),
        "1.96": (steps_196, "these are 1.96 standard errors"),
        "2 under the root": (steps_root_of_2, "the 2 is under the root"),
        "error of the first": (steps_first_error, "the error of the first file is used throughout"),
        "stops": (steps_stop, "you stop at the first file that is not kept"),
        "absolute": (steps_absolute, "a file that is clearly *worse* is kept"),
        "the first is missing": (steps_no_first, "the first file is missing"),
        "downwards": (steps_down, "you walk from the largest file down"),
        "the others": (steps_not, "the files that are *not* worth their bytes"),
        "places": (steps_places, ("a truth value is wanted", "one result for each input")),
        "all": (steps_all, "every file is kept"),
    },
}
RIGHT = {
    "7.1": [front_loops, front_broadcast, front_list],
    "7.2": [steps_list, steps_recursive],
}
