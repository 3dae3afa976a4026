// The names of the classes of a data set or of a model, by their labels.

export const namesOf = ({ classes, class_names: names }) => (label) => names?.[classes.indexOf(Number(label))] ?? String(label);
