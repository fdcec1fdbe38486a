"""From images and trained networks to probability maps, with test-time augmentation.

For arrays: `networks.load_network` and `arrays.predict_maps`. `views` is the table of views, `merging` averages what is
seen in them, `scenes` goes through large images in windows. For a run: `tasks` settles what there is to do, `jobs` does
it, and `sharing` does it together with other processes, by `locks` on disk, or on a cluster. `engines` are what
computes the networks.
"""
