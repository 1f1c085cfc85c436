// How search ranks pages: those that explain come before those that list.
var Scorer = {
  score: ([page, title, anchor, text, score]) => {
    if (/^(guide\/|cite|help|license|start|results|real_noise|compared)/.test(page)) return score + 15;
    return /^(glossary|changes|contributing|reliability)/.test(page) ? score - 100 : score;
  },
  // As Sphinx has them.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
